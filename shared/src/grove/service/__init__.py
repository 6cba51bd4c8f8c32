"""How a service is put together: what its processes hold, the commit edge, lists, housekeeping."""
