"""PostgreSQL: engine, the commit edge, keyset paging."""
