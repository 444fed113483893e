{{- /* SPDX-License-Identifier: Apache-2.0
The settings of a server, as the variables of its container. */ -}}

{{- define "tabard.serverVariables" -}}
{{- $v := .Values }}
- name: POD_NAME
  valueFrom: { fieldRef: { fieldPath: metadata.name } }
- { name: HOME, value: /var/lib/tabard }
- { name: TABARD_LISTEN, value: "0.0.0.0:50051" }
- { name: TABARD_METRICS_LISTEN, value: "0.0.0.0:9464" }
- { name: TABARD_OPERATORS_LISTEN, value: {{ include "tabard.operatorsListen" . | quote }} }
- { name: TABARD_ADVERTISE, value: "$(POD_NAME).{{ include "tabard.name" . }}-servers:50051" }
- { name: TABARD_BASE, value: {{ $v.base.name | quote }} }
- { name: TABARD_CACHE, value: /var/lib/tabard/cache }
# Jobs that nobody waits for are this pod's alone, also where pods share the volume.
- { name: TABARD_JOBS_FOLDER, value: /var/lib/tabard/jobs/$(POD_NAME) }
- { name: TABARD_DRAIN_SECONDS_MAX, value: {{ $v.drain.jobSeconds | quote }} }
- { name: TABARD_STOP_SECONDS_MAX, value: {{ $v.drain.stopSeconds | quote }} }
{{- if $v.registry.bucket }}
- { name: TABARD_REGISTRY, value: {{ $v.registry.bucket | quote }} }
- { name: AWS_DEFAULT_REGION, value: {{ $v.registry.region | quote }} }
{{- with $v.registry.endpoint }}
- { name: AWS_ENDPOINT_URL_S3, value: {{ . | quote }} }
{{- end }}
{{- with $v.registry.credentialsSecret }}
{{- range list "AWS_ACCESS_KEY_ID" "AWS_SECRET_ACCESS_KEY" }}
- name: {{ . }}
  valueFrom: { secretKeyRef: { name: {{ $v.registry.credentialsSecret }}, key: {{ . }} } }
{{- end }}
{{- end }}
{{- else }}
- { name: TABARD_REGISTRY, value: "file:///srv/registry" }
{{- end }}
- { name: TABARD_INSECURE, value: {{ $v.security.insecure | quote }} }
- { name: TABARD_IDENTITY_TOKENS, value: {{ $v.security.tokens | quote }} }
{{- if not $v.security.insecure }}
- { name: TABARD_TRUSTED_PROXY, value: {{ $v.security.trustedProxy | default "Envoy of this installation" | quote }} }
{{- end }}
{{- if $v.security.serverTlsSecret }}
- { name: TABARD_TLS_CERTIFICATE, value: /etc/tabard/server-tls/tls.crt }
- { name: TABARD_TLS_KEY, value: /etc/tabard/server-tls/tls.key }
{{- end }}
{{- range $name, $value := $v.settings }}
- { name: {{ printf "TABARD_%s" ($name | replace "." "_" | upper) }}, value: {{ kindIs "string" $value | ternary $value (toJson $value) | quote }} }
{{- end }}
{{- range $v.secretSettings }}
- name: {{ printf "TABARD_%s" (.setting | replace "." "_" | upper) }}
  valueFrom: { secretKeyRef: { name: {{ .secret }}, key: {{ .key }} } }
{{- end }}
{{- end }}
