{{- /* SPDX-License-Identifier: Apache-2.0 */ -}}
{{- define "countersign.image" -}}
{{- with .Values.image -}}
{{ .repository }}{{ if .digest }}@{{ .digest }}{{ else }}:{{ .tag | default $.Chart.AppVersion }}{{ end }}
{{- end -}}
{{- end -}}

{{- define "countersign.labels" -}}
app.kubernetes.io/name: countersign
app.kubernetes.io/managed-by: {{ .Release.Service }}
app.kubernetes.io/instance: {{ .Release.Name }}
helm.sh/chart: {{ .Chart.Name }}-{{ .Chart.Version }}
{{- end -}}

{{- /* Whether agents of some nodes sign. */ -}}
{{- define "countersign.signs" -}}
{{- if and (eq .Values.credential.source "kube-csr") .Values.signer.enabled }}yes{{ end -}}
{{- end -}}

{{- /* A file of deploy/base, in the release's namespace. */ -}}
{{- define "countersign.file" -}}
{{- .root.Files.Get .file | replace "system:serviceaccount:countersign-system:" (printf "system:serviceaccount:%s:" .root.Release.Namespace) | replace "namespace: countersign-system" (printf "namespace: %s" .root.Release.Namespace) -}}
{{- end -}}
