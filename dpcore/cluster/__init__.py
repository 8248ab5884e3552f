"""Past one machine: shards of a cohort are computed by the workers of a Dask cluster. `docs/CLUSTER.md` says how.

`configuration` and `status` are light, for pages and commands; `distributed` is loaded where a cluster is used, and
what trains on its workers alone.
"""
