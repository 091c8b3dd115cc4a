"""Others are told of events: subscriptions and signed deliveries."""
