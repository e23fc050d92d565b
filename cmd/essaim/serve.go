package main

type serveCmd struct{}

// Run serves until SIGTERM or SIGINT.
func (serveCmd) Run(e *env) error {
	cfg, err := e.loadConfig()
	if err != nil {
		return err
	}
	a, err := openApp(cfg, newLogger(e.errout))
	if err != nil {
		return err
	}
	return a.run(e.ctx, func() error { return a.confine(e.config) })
}
