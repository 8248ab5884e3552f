"""What other frameworks leave behind, each read into a round log: as text and JSON, and nothing is executed."""
