//go:build tools

// Package h2spec pins the conformance test of HTTP/2, which tools/h2spec.sh builds.
package h2spec

import _ "github.com/summerwind/h2spec/cmd/h2spec"
