"""NumPy's products of matrices, each by the thread that asks for it.

Threads take a part each (clients, examples) and compute it alone: less to wait for than many threads in each small
product, and sums in an order that no scheduling changes.
"""

from threadpoolctl import threadpool_limits

_LIMITS = threadpool_limits(1, user_api="blas")
