package control

import "context"

// Backend is the host as the server sees it. Every method says who asked; when ctx ends, the caller
// has gone or the server stops, and the method returns soon. Errors that are an *[Error] are sent as
// they are; others count as [Failed].
type Backend interface {
	StatusReader
	Changer
	RolloutOperator
	HistoryReader
	LogReader
	Stopper
}

// StatusReader tells what runs.
type StatusReader interface {
	Status(context.Context, Actor) (Status, error)
}

// Emit takes progress. It never blocks and may be called until the method that it was given to
// returns.
type Emit func(RolloutEvent)

// Changer begins rollouts. Upgrade, Rollback and Restart emit progress and return when the rollout
// has ended, or at once if the request says Detach or Plan. The end of ctx ends the call, never the
// rollout. A rollout that rolled back is an outcome, not an error; a request that began no rollout
// is an error.
type Changer interface {
	Upgrade(context.Context, Actor, UpgradeRequest, Emit) (Outcome, error)
	Rollback(context.Context, Actor, RollbackRequest, Emit) (Outcome, error)
	Restart(context.Context, Actor, RestartRequest, Emit) (Outcome, error)
	Reload(context.Context, Actor, ReloadRequest) (ReloadResult, error)
}

// RolloutOperator steers rollouts. Tell returns when the rollout has taken the word, with where it
// stands then. Watch emits first where the rollout stands, unless that passes at once, then progress,
// and returns when it has ended; a rollout that ended before returns its outcome, also under a later host.
type RolloutOperator interface {
	Tell(context.Context, Actor, RolloutRequest) (RolloutStatus, error)
	Watch(context.Context, Actor, WatchRequest, Emit) (Outcome, error)
}

// HistoryReader returns rollouts, newest first.
type HistoryReader interface {
	History(context.Context, Actor, HistoryQuery) ([]HistoryEntry, error)
}

// LogReader hands out log lines, oldest first. An error of emit means that the reader has gone.
type LogReader interface {
	Logs(ctx context.Context, actor Actor, query LogQuery, emit func(LogLine) error) error
}

// Stopper begins to stop the host and everything that it keeps up, and returns.
type Stopper interface {
	Stop(context.Context, Actor, StopRequest) error
}
