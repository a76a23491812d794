// SPDX-License-Identifier: Apache-2.0

//go:build tools

// Package spire names the programs that tests/peers/spire.sh builds, so that go.mod pins them.
package spire

import (
	_ "github.com/spiffe/spire/cmd/spire-agent"
	_ "github.com/spiffe/spire/cmd/spire-server"
)
