package config

func serviceKeys() []Key {
	return []Key{
		{Name: "command", Type: TypeStrings, Required: true, Example: `["./shop", "--verbose"]`, Mistaken: []string{"cmd", "exec", "args", "program", "run"},
			Doc: "The program and its arguments. It is looked for in the release's directory first, then in PATH."},
		{Name: "release", Type: TypePath, Example: `"./releases/v1"`, Mistaken: []string{"version", "artifact"},
			Doc: "Directory (or packed release) that a first start takes, and the working directory. Afterwards the journal says what runs."},
		{Name: "listeners", Type: TypeStrings, Example: `["web"]`, Mistaken: []string{"listener", "listen", "ports", "addresses"},
			Doc: "Names of the listeners that it serves. In a service that adopts, none means: whatever it binds."},
		{Name: "sockets", Type: TypeString, Default: "adopt", Values: []string{"adopt", "inherit"},
			Doc: "How it gets its sockets: `adopt` answers its own `bind` and `listen`; `inherit` passes them as `LISTEN_FDS`."},
		{Name: "instances", Type: TypeInt, Default: "1", Min: 1, Max: 1024, Mistaken: []string{"replicas", "count", "workers"},
			Doc: "Processes of one generation."},
		{Name: "env", Type: TypeEnv, Example: `{ LOG = "info" }`, Mistaken: []string{"environment", "envs", "variables"},
			Doc: "Environment variables, beside PATH, HOME, LANG and TZ. Their values are never printed."},
		{Name: "env_inherit", Type: TypeStrings, Example: `["HTTP_PROXY"]`, Doc: "Further variables of zdhost's own environment that are passed on."},
		{Name: "user", Type: TypeString, Example: `"shop"`, Doc: "User that it runs as; another one than zdhost's own needs root."},
		{Name: "group", Type: TypeString, Example: `"shop"`, Doc: "Group that it runs as. Default: the user's."},
		{Name: "dir", Type: TypePath, Example: `"/srv/shop"`, Mistaken: []string{"cwd", "workdir", "working_dir", "directory"},
			Doc: "Working directory. Default: the release's directory, or the configuration's where there is no release."},
		{Name: "ready", Type: TypeBlock, Mistaken: []string{"readiness"}, Keys: readyKeys(),
			Doc: "When an instance may serve. Without `http`, `notify` or `exec`: when it listens on every address that it should and has accepted a connection."},
		{Name: "health", Type: TypeBlock, OptIn: true, Mistaken: []string{"healthcheck", "health_check", "liveness"}, Keys: healthKeys(),
			Doc: "A check that goes on while an instance serves; one that fails is replaced. Off unless given."},
		{Name: "drain", Type: TypeBlock, Mistaken: []string{"shutdown", "stop", "graceful"}, Keys: drainKeys(),
			Doc: "How an instance is stopped once it gets no new connections."},
		{Name: "restart", Type: TypeBlock, Keys: restartKeys(), Doc: "What happens after an instance exits."},
		{Name: "limits", Type: TypeBlock, Mistaken: []string{"limit", "resources"}, Keys: limitKeys(), Doc: "What each instance may use. No limit unless given."},
		{Name: "strategy", Type: TypeChoice, Default: "bluegreen", Keys: strategyKeys(), Doc: "How a new release takes over. Default: `bluegreen`."},
		{Name: "watchdog", Type: TypeDuration, Default: "0s", Doc: "An instance that doesn't send `WATCHDOG=1` for this long is replaced. 0: off."},
		{Name: "pid_file", Type: TypePath, Mistaken: []string{"pidfile"}, Doc: "File with the PID of the process that serves, the oldest of several, for programs that expect one."},
		{Name: "config", Type: TypeBlock, OptIn: true, Unsupported: true, Doc: "The program's own configuration, delivered by zdhost.", Keys: []Key{
			{Name: "source", Type: TypeChoices, Doc: "Where it comes from; later ones win.", Keys: []Key{
				{Name: "file", Type: TypeBlock, Doc: "A file.", Keys: []Key{{Name: "path", Type: TypePath, Required: true, Doc: "Its path."}}},
			}},
			{Name: "schema", Type: TypePath, Doc: "JSON Schema that it must satisfy."},
			{Name: "deliver", Type: TypeString, Default: "file+SIGHUP", Doc: "How the program gets it."},
		}},
		{Name: "store", Type: TypeString, Unsupported: true, Doc: "Store of its checkpoints."},
	}
}

func readyKeys() []Key {
	return []Key{
		{Name: "timeout", Type: TypeDuration, NonZero: true, Default: "30s", Doc: "A candidate that isn't ready by then is rolled back."},
		{Name: "http", Type: TypeHTTPPath, Example: `"/healthz"`, Mistaken: []string{"path", "url"}, Doc: "Path that must answer 2xx or 3xx, asked of exactly the new instance through its public address."},
		{Name: "notify", Type: TypeBool, Default: "false", Doc: "Wait for `READY=1` on `NOTIFY_SOCKET`."},
		{Name: "exec", Type: TypeStrings, Example: `["./check", "--quick"]`, Mistaken: []string{"command"}, Doc: "Command that must exit 0. Its program is looked for like the service's, and runs as that does: its user, environment and directory."},
		{Name: "interval", Type: TypeDuration, NonZero: true, Default: "100ms", Doc: "Pause between two tries of `http` or `exec`."},
	}
}

func healthKeys() []Key {
	return []Key{
		{Name: "http", Type: TypeHTTPPath, Example: `"/healthz"`, Mistaken: []string{"path", "url"}, Doc: "Path that must answer 2xx or 3xx."},
		{Name: "exec", Type: TypeStrings, Example: `["./check"]`, Mistaken: []string{"command"}, Doc: "Command that must exit 0. Its program is looked for like the service's, and runs as that does: its user, environment and directory."},
		{Name: "interval", Type: TypeDuration, NonZero: true, Default: "5s", Doc: "Pause between two checks."},
		{Name: "timeout", Type: TypeDuration, NonZero: true, Default: "2s", Doc: "A check that takes longer has failed."},
		{Name: "failures", Type: TypeInt, Default: "3", Min: 1, Max: 1000, Doc: "Failures in a row after which the instance is replaced."},
	}
}

func drainKeys() []Key {
	return []Key{
		{Name: "timeout", Type: TypeDuration, Default: "30s", Values: []string{"auto"}, Mistaken: []string{"grace", "grace_period"},
			Doc: "Time for the instance to end its work; then SIGKILL to its whole group. `auto`: four times the longest wait for an answer that was seen, between 5 s and `max`."},
		{Name: "settle", Type: TypeDuration, Default: "5s", Doc: "A connection counts as quiet when its last byte was the server's and was acknowledged this long ago."},
		{Name: "signal", Type: TypeSignal, Default: "SIGTERM", Example: `"SIGQUIT"`, Mistaken: []string{"stop_signal"}, Doc: "The signal that asks the program to stop."},
		{Name: "max", Type: TypeDuration, NonZero: true, Default: "10m", Doc: "Bound of `timeout = \"auto\"`."},
	}
}

func restartKeys() []Key {
	return []Key{
		{Name: "backoff", Type: TypeDuration, Default: "100ms", Doc: "An instance that exits is replaced at once. After another exit within the time of `crash_loop` the replacement waits this long, after each further one twice as long."},
		{Name: "max_backoff", Type: TypeDuration, NonZero: true, Default: "30s", Doc: "The longest pause, and that of a crash loop."},
		{Name: "crash_loop", Type: TypeRate, Default: "5 in 1m", Doc: "This many exits in this time are a crash loop: it is reported, and a rollout that is being watched is rolled back."},
	}
}

func limitKeys() []Key {
	return []Key{
		{Name: "memory", Type: TypeSize, Example: `"512MiB"`, Doc: "Memory. KiB, MiB, GiB and TiB are powers of 1024, kB, MB, GB and TB of 1000."},
		{Name: "cpus", Type: TypeNumber, Min: 0.01, Max: 4096, Example: "1.5", Mistaken: []string{"cpu"}, Doc: "Processors."},
		{Name: "files", Type: TypeInt, Min: 16, Max: 1 << 30, Example: "65536", Mistaken: []string{"nofile", "open_files"}, Doc: "Open files."},
		{Name: "processes", Type: TypeInt, Min: 1, Max: 1 << 22, Mistaken: []string{"nproc", "pids"}, Doc: "Processes and threads."},
	}
}

// strategyKeys lists the strategies. Their settings are passed to them as
// written: defaults are the strategy's own, and stand here for the reference.
func strategyKeys() []Key {
	return []Key{
		{Name: "bluegreen", Type: TypeBlock, Doc: "Start the new generation beside the old one, shift all connections at once, watch, commit.", Keys: []Key{
			{Name: "bake", Type: TypeDuration, Default: "2s", Doc: "How long the new generation is watched before the commit."},
			{Name: "warm", Type: TypeDuration, Default: "60s", Doc: "How long the old generation is kept after the commit, ready for a rollback. 0: not at all."},
			{Name: "weight", Type: TypeNumber, Default: "100", Min: 0.01, Max: 100, Doc: "Percent of the new connections that are shifted first; below 100 the rollout holds there until it is promoted."},
			{Name: "instances", Type: TypeInt, Min: 1, Max: 1024, Doc: "Instances of the new generation. Default: the service's."},
		}},
		{Name: "canary", Type: TypeAny, Unsupported: true, Doc: "Shift in steps, each watched before the next."},
		{Name: "rolling", Type: TypeAny, Unsupported: true, Doc: "Replace one instance after another."},
	}
}
