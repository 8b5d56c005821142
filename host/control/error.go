package control

import (
	"context"
	"errors"
	"net/http"
)

// Code is the class of an [Error]. The set is closed; a code that a client doesn't know counts as
// Failed.
type Code string

const (
	Failed      Code = "failed"      // it was tried and did not work; trying again may help
	Usage       Code = "usage"       // the request or the configuration is wrong; trying again does not help
	NotFound    Code = "not_found"   // no such service, release, instance or rollout
	Busy        Code = "busy"        // another rollout runs
	Forbidden   Code = "forbidden"   // this user may not speak to the host
	Denied      Code = "denied"      // policy said no
	Held        Code = "held"        // waits for someone
	TimedOut    Code = "timed_out"   // may have happened all the same
	Unavailable Code = "unavailable" // the host can't change anything now; what runs goes on
	NoHost      Code = "no_host"     // nobody answers on the socket
	BrokenOff   Code = "broken_off"  // the host went away in the middle; may have happened
)

// HTTPStatus is the status that the code is sent with.
func (c Code) HTTPStatus() int {
	switch c {
	case Usage:
		return http.StatusBadRequest
	case NotFound:
		return http.StatusNotFound
	case Busy, Held:
		return http.StatusConflict
	case Forbidden, Denied:
		return http.StatusForbidden
	case TimedOut:
		return http.StatusGatewayTimeout
	case Unavailable:
		return http.StatusServiceUnavailable
	}
	return http.StatusInternalServerError
}

// Error is what the API answers when a call did not do what was asked. Message is one line, "cannot
// ‹verb› ‹object›: cause"; Hint, if there is one, says what to do about it.
type Error struct {
	Code    Code   `json:"code"`
	Message string `json:"message"`
	Hint    string `json:"hint,omitempty"`
}

func (e *Error) Error() string { return e.Message }

// HasCode reports whether err is an [Error] with that code.
func HasCode(err error, code Code) bool {
	var e *Error
	return errors.As(err, &e) && e.Code == code
}

// asError finds the Error in err, or makes one.
func asError(err error) *Error {
	var e *Error
	if errors.As(err, &e) {
		return e
	}
	if errors.Is(err, context.DeadlineExceeded) {
		return &Error{Code: TimedOut, Message: err.Error()}
	}
	return &Error{Code: Failed, Message: err.Error()}
}
