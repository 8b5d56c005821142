// Package instance is the life of one process of a release: from its launch,
// through readiness and health, to its drain and exit.
//
// An [Instance] is a driver: one goroutine that hears what the keeper, the
// program and the host say, and tells the host of each change ([Notice]). The
// rules are beside it and pure: what readiness still lacks (readiness.go), when
// connections are quiet (quiet.go), what an sd_notify message means (notify.go),
// when to start again (restart.go), the environment (environment.go).
//
// It knows nothing of listeners, weights or rollouts. That no new connection can
// reach a program any more is its caller's to see to before [Instance.Drain].
//
// An instance is never signalled before it is quiet or its time is up, and it
// never outlives its deadline: SIGKILL then ends it and all that belongs to it.
package instance
