package zdapp

import (
	"fmt"
	"net"
	"os"
	"time"
)

// notify tells the service manager about the program's state: "READY=1", "STOPPING=1". Without NOTIFY_SOCKET there is
// nobody to tell, and one that doesn't read for hostPatience isn't told.
func notify(state string) error {
	path := os.Getenv("NOTIFY_SOCKET")
	if path == "" {
		return nil
	}
	c, err := net.DialUnix("unixgram", nil, &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		return fmt.Errorf("cannot notify %s: %w", state, err)
	}
	defer c.Close()
	_ = c.SetWriteDeadline(time.Now().Add(hostPatience))
	if _, err := c.Write([]byte(state)); err != nil {
		return fmt.Errorf("cannot notify %s: %w", state, err)
	}
	return nil
}
