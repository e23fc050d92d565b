package zone

// WindowsNames is for tests.
func WindowsNames() map[string]string { return windows }
