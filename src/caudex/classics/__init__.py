"""What people thought out for tasks that `caudex.worlds.trials` draws: what learning to learn is compared with."""
