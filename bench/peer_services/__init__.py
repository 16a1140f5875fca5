"""The services under the benchmarks and the contracts around them."""
