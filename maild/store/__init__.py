"""The database: what is kept (`models`), how it is reached (`engine`), how work is claimed (`queues`)."""
