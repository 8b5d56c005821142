// Package wsframe reads and writes single WebSocket frames (RFC 6455), as far as the load generator and the test
// servers need them. It owns the wire format and nothing else; it refuses fragments, extensions and payloads
// over 64 KiB with an error, after which the connection can't be used any more.
package wsframe
