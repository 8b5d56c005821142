package handlers

import (
	"fmt"
	"os"
)

// executionLog is the file that every process of every release appends to. One write a line on an O_APPEND
// descriptor keeps lines whole without a lock between processes.
type executionLog struct {
	file *os.File
}

func openExecutionLog(path string) (*executionLog, error) {
	f, err := os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o666)
	if err != nil {
		return nil, fmt.Errorf("cannot open execution log: %w", err)
	}
	return &executionLog{file: f}, nil
}

func (l *executionLog) append(line string) error {
	if _, err := l.file.WriteString(line + "\n"); err != nil {
		return fmt.Errorf("cannot log execution: %w", err)
	}
	return nil
}
