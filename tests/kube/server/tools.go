// SPDX-License-Identifier: Apache-2.0

//go:build tools

// Package server names the programs that tests/kube/build.sh builds, so that go.mod pins them.
package server

import (
	_ "go.etcd.io/etcd/server/v3"
	_ "helm.sh/helm/v4/cmd/helm"
	_ "k8s.io/kubernetes/cmd/kube-apiserver"
	_ "k8s.io/kubernetes/cmd/kube-controller-manager"
	_ "k8s.io/kubernetes/cmd/kubectl"
)
