// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"encoding/json"
	"errors"
	"net"

	v1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	corev1 "k8s.io/client-go/kubernetes/typed/core/v1"
	"k8s.io/client-go/tools/clientcmd"
)

// registration says where the API server finds this kubelet.
type registration struct {
	kubeconfig string
	node       string
}

func (r *registration) write(ctx context.Context, at *net.TCPAddr) error {
	if r.node == "" {
		return errors.New("--register needs --node-name")
	}
	config, err := clientcmd.BuildConfigFromFlags("", r.kubeconfig)
	if err != nil {
		return err
	}
	client, err := corev1.NewForConfig(config)
	if err != nil {
		return err
	}
	node := &v1.Node{ObjectMeta: metav1.ObjectMeta{Name: r.node,
		Labels: map[string]string{v1.LabelHostname: r.node}}}
	_, err = client.Nodes().Create(ctx, node, metav1.CreateOptions{})
	if err != nil && !apierrors.IsAlreadyExists(err) {
		return err
	}
	patch, err := json.Marshal(map[string]any{"status": v1.NodeStatus{
		Addresses: []v1.NodeAddress{
			{Type: v1.NodeInternalIP, Address: at.IP.String()},
			{Type: v1.NodeHostName, Address: r.node},
		},
		DaemonEndpoints: v1.NodeDaemonEndpoints{
			KubeletEndpoint: v1.DaemonEndpoint{Port: int32(at.Port)},
		},
	}})
	if err != nil {
		return err
	}
	_, err = client.Nodes().Patch(ctx, r.node, types.StrategicMergePatchType, patch,
		metav1.PatchOptions{}, "status")
	return err
}
