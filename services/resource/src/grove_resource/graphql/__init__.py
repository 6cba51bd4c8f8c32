"""GraphQL: the same services and queries as REST, under one address."""
