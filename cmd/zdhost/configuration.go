package main

import (
	"context"
	"errors"
	"os"

	"github.com/zdhost/zdhost/host/config"
	"github.com/zdhost/zdhost/host/control"
)

// defaultStateDir is where a host keeps its state that was told nothing else.
const defaultStateDir = ".zdhost"

// configuredStateDir is the state_dir of the configuration in the working directory, or the default.
// A configuration with a mistake must not stand between a user and the host that runs here.
func configuredStateDir(ctx context.Context) (string, error) {
	path, err := config.Find(".")
	if errors.Is(err, config.ErrNotFound) {
		return defaultStateDir, nil
	}
	if err == nil {
		var c *config.Config
		if c, err = config.Load(ctx, path); err == nil {
			return c.StateDir, nil
		}
	}
	if socket, problem := control.SocketPath(defaultStateDir); problem == nil {
		if _, problem := os.Lstat(socket); problem == nil {
			return defaultStateDir, nil
		}
	}
	return "", err
}

// findConfiguration is the named file, or the one in the working directory.
func findConfiguration(named string) (string, error) {
	if named != "" {
		return named, nil
	}
	path, err := config.Find(".")
	if err != nil {
		return "", &control.Error{Code: control.Usage, Message: err.Error(), Hint: "name a file with -c"}
	}
	return path, nil
}
