//go:build wasip1

// Package logger writes the lines of log/slog to the node's log.
package logger

import (
	"bytes"
	"context"
	"log/slog"
	"strings"

	"mote.dev/mote"
)

// New is a logger whose lines are the message and "key=value" behind it. The node adds time, level and process.
func New() *slog.Logger { return slog.New(&handler{}) }

// SetDefault makes slog.Info and its kin, and the package log, write there.
func SetDefault() { slog.SetDefault(New()) }

type handler struct {
	wrap []func(slog.Handler) slog.Handler // WithAttrs and WithGroup, in order
}

func (h *handler) Enabled(context.Context, slog.Level) bool { return true }

func (h *handler) with(one func(slog.Handler) slog.Handler) slog.Handler {
	return &handler{append(h.wrap[:len(h.wrap):len(h.wrap)], one)}
}

func (h *handler) WithAttrs(attrs []slog.Attr) slog.Handler {
	return h.with(func(inner slog.Handler) slog.Handler { return inner.WithAttrs(attrs) })
}

func (h *handler) WithGroup(name string) slog.Handler {
	return h.with(func(inner slog.Handler) slog.Handler { return inner.WithGroup(name) })
}

func level(of slog.Level) mote.Level {
	switch {
	case of >= slog.LevelError:
		return mote.LevelError
	case of >= slog.LevelWarn:
		return mote.LevelWarn
	case of >= slog.LevelInfo:
		return mote.LevelInfo
	}
	return mote.LevelDebug
}

func withoutHead(groups []string, attr slog.Attr) slog.Attr {
	if len(groups) == 0 && (attr.Key == slog.TimeKey || attr.Key == slog.LevelKey || attr.Key == slog.MessageKey) {
		return slog.Attr{}
	}
	return attr
}

func (h *handler) Handle(ctx context.Context, record slog.Record) error {
	var line bytes.Buffer
	var inner slog.Handler = slog.NewTextHandler(&line, &slog.HandlerOptions{Level: slog.Level(-128), ReplaceAttr: withoutHead})
	for _, wrap := range h.wrap {
		inner = wrap(inner)
	}
	if err := inner.Handle(ctx, record); err != nil {
		return err
	}
	mote.Log(level(record.Level), strings.TrimSpace(record.Message+" "+line.String()))
	return nil
}
