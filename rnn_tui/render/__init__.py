"""Drawing as pure functions of values: arrays in, styled text out; no App, no widget, no engine."""
