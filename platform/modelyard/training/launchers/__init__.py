"""Where a run's process lives. One more place is one more file that implements `launcher.Launcher`."""
