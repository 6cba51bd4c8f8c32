"""RabbitMQ: topology, connection, consumers, dead letters."""
