{{- /* SPDX-License-Identifier: Apache-2.0
Names, labels, and the numbers that several templates need. */ -}}

{{- define "tabard.name" -}}
{{- if eq .Release.Name .Chart.Name }}{{ .Release.Name }}{{ else }}{{ printf "%s-%s" .Release.Name .Chart.Name | trunc 45 | trimSuffix "-" }}{{ end -}}
{{- end }}

{{- define "tabard.selector" -}}
app.kubernetes.io/name: {{ .root.Chart.Name }}
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/component: {{ .component }}
{{- end }}

{{- define "tabard.labels" -}}
{{ include "tabard.selector" . }}
app.kubernetes.io/version: {{ .root.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .root.Chart.Name .root.Chart.Version }}
{{- end }}

{{- define "tabard.image" -}}
{{ .Values.image.repository }}:{{ .Values.image.tag | default .Chart.AppVersion }}
{{- end }}

{{- /* Longer than everything that a stop may take, one after the other. */ -}}
{{- define "tabard.graceSeconds" -}}
{{ add .Values.drain.settleSeconds .Values.drain.jobSeconds .Values.drain.stopSeconds 10 | int }}
{{- end }}

{{- /* Without a port it is a socket that only this pod's user can open, where nobody is asked who they are. */ -}}
{{- define "tabard.operatorsListen" -}}
{{- if .Values.operators.port }}0.0.0.0:{{ .Values.operators.port }}{{ else }}unix:/tmp/tabard.operators{{ end -}}
{{- end }}

{{- /* What a restricted namespace asks of every container. */ -}}
{{- define "tabard.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities: { drop: [ALL] }
{{- end }}

{{- define "tabard.podSecurity" -}}
runAsNonRoot: true
runAsUser: {{ . }}
runAsGroup: {{ . }}
fsGroup: {{ . }}
fsGroupChangePolicy: OnRootMismatch
seccompProfile: { type: RuntimeDefault }
{{- end }}

{{- /* Spread over machines where there are several. */ -}}
{{- define "tabard.spread" -}}
- maxSkew: 1
  topologyKey: kubernetes.io/hostname
  whenUnsatisfiable: ScheduleAnyway
  labelSelector:
    matchLabels:
      {{- include "tabard.selector" . | nindent 6 }}
{{- end }}

{{- define "tabard.frontScheme" -}}
{{ if .Values.security.frontTlsSecret }}grpcs://{{ end }}
{{- end }}
