"""What stages are built with: words as arrays, batches, linear chains, calibration."""
