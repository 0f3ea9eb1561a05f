"""What stands in `deploy/`, checked by what runs without a container engine."""
