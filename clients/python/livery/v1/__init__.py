"""Generated protobuf and gRPC stubs of `proto/livery/v1`; regenerate with `make proto`."""
