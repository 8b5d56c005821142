package load

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net/http/httputil"
	"strconv"
	"strings"
)

// maxBody is the longest body that is read whole; a longer one is a mismatch.
const maxBody = 16 << 20

// head is a response's status line and the header fields that matter here.
type head struct {
	status  int
	release string // X-Release
	request string // X-Request, where a server repeats it
	accept  string // Sec-WebSocket-Accept
	length  int64  // -1 if the header doesn't say
	chunked bool
	last    bool // the server closes the connection after this response
}

// response is a head and its whole body.
type response struct {
	head
	body string
}

// by is the release that answered: the header's, else a short body's first line, else "".
func (r response) by() string {
	if r.release != "" {
		return r.release
	}
	line, _, _ := strings.Cut(r.body, "\n")
	if line = strings.TrimSpace(line); len(line) > 64 || strings.Contains(line, "<") {
		return ""
	}
	return line
}

// readResponse reads one whole response with a 2xx status. Errors are faults.
func readResponse(in *bufio.Reader) (response, error) {
	h, err := readHead(in)
	if err != nil {
		return response{}, err
	}
	body, err := io.ReadAll(io.LimitReader(h.reader(in), maxBody+1))
	if err != nil {
		return response{}, classify(err, KindShort, fmt.Sprintf("after %d bytes of the body", len(body)))
	}
	if len(body) > maxBody {
		return response{}, faultf(KindMismatch, "the body is longer than %d bytes", maxBody)
	}
	r := response{head: h, body: string(body)}
	if h.status < 200 || h.status > 299 {
		return r, faultf(KindStatus, "status %d", h.status)
	}
	return r, nil
}

// readHead reads a response up to the end of its header, and skips interim responses (100 to 199 but 101).
// Errors are faults.
func readHead(in *bufio.Reader) (head, error) {
	if _, err := in.Peek(1); err != nil {
		return head{}, classify(err, KindEOF, "waiting for the response")
	}
	for {
		h, err := readOneHead(in)
		if err != nil {
			return head{}, classify(err, KindShort, "inside the response's header")
		}
		if h.status >= 200 || h.status == 101 {
			return h, nil
		}
	}
}

func readOneHead(in *bufio.Reader) (head, error) {
	line, err := readLine(in)
	if err != nil {
		return head{}, err
	}
	version, rest, _ := strings.Cut(line, " ")
	code, _, _ := strings.Cut(rest, " ")
	status, err := strconv.Atoi(code)
	if err != nil || len(code) != 3 || (version != "HTTP/1.1" && version != "HTTP/1.0") {
		return head{}, faultf(KindMismatch, "not a status line: %.40q", line)
	}
	h := head{status: status, length: -1, last: version == "HTTP/1.0"}
	for {
		line, err := readLine(in)
		if err != nil {
			return head{}, err
		}
		if line == "" {
			break
		}
		if err := h.field(line); err != nil {
			return head{}, err
		}
	}
	if status == 204 || status == 304 || status < 200 {
		h.length, h.chunked = 0, false
	}
	if h.length < 0 && !h.chunked {
		h.last = true
	}
	return h, nil
}

// field takes one header line.
func (h *head) field(line string) error {
	name, value, ok := strings.Cut(line, ":")
	if !ok {
		return faultf(KindMismatch, "not a header field: %.40q", line)
	}
	value = strings.TrimSpace(value)
	switch strings.ToLower(name) {
	case "x-release":
		h.release = value
	case "x-request":
		h.request = value
	case "sec-websocket-accept":
		h.accept = value
	case "content-length":
		n, err := strconv.ParseInt(value, 10, 64)
		if err != nil || n < 0 {
			return faultf(KindMismatch, "bad Content-Length: %.40q", value)
		}
		h.length = n
	case "transfer-encoding":
		h.chunked = strings.EqualFold(value, "chunked")
	case "connection":
		switch strings.ToLower(value) {
		case "close":
			h.last = true
		case "keep-alive":
			h.last = false
		}
	}
	return nil
}

// reader is the body; it ends with io.EOF exactly at the end of the response, and with another error
// (io.ErrUnexpectedEOF if the server closed) before it.
func (h head) reader(in *bufio.Reader) io.Reader {
	switch {
	case h.chunked:
		return &chunkedBody{in: in, chunks: httputil.NewChunkedReader(in)}
	case h.length >= 0:
		return &sizedBody{in: in, left: h.length}
	default:
		return in
	}
}

// sizedBody is a body with a Content-Length.
type sizedBody struct {
	in   io.Reader
	left int64
}

func (b *sizedBody) Read(p []byte) (int, error) {
	if b.left == 0 {
		return 0, io.EOF
	}
	n, err := b.in.Read(p[:min(int64(len(p)), b.left)])
	b.left -= int64(n)
	if err == io.EOF && b.left > 0 {
		err = io.ErrUnexpectedEOF
	}
	return n, err
}

// chunkedBody is a chunked body, trailer included.
type chunkedBody struct {
	in     *bufio.Reader
	chunks io.Reader
	ended  bool
}

func (b *chunkedBody) Read(p []byte) (int, error) {
	if b.ended {
		return 0, io.EOF
	}
	n, err := b.chunks.Read(p)
	if err != io.EOF {
		return n, err
	}
	for {
		line, err := readLine(b.in)
		if err != nil {
			return n, err
		}
		if line == "" {
			b.ended = true
			return n, io.EOF
		}
	}
}

// readLine reads a line without its end. A line that the server breaks off is io.ErrUnexpectedEOF.
func readLine(in *bufio.Reader) (string, error) {
	line, err := in.ReadSlice('\n')
	switch {
	case err == io.EOF:
		return "", io.ErrUnexpectedEOF
	case errors.Is(err, bufio.ErrBufferFull):
		return "", faultf(KindMismatch, "a line is longer than %d bytes", in.Size())
	case err != nil:
		return "", err
	}
	return strings.TrimRight(string(line), "\r\n"), nil
}
