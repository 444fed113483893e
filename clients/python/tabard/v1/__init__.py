"""Generated protobuf and gRPC stubs of `proto/tabard/v1`; regenerate with `make proto`."""
