{{- /* SPDX-License-Identifier: Apache-2.0
What the schema cannot say: values that contradict each other are refused with the reason, before anything is made. */ -}}

{{- define "tabard.refuse" -}}
{{- $v := .Values }}
{{- if and (not $v.registry.bucket) (not $v.registry.existingClaim) }}
{{- fail "no registry: say registry.bucket (s3://bucket/prefix), or registry.existingClaim (a volume that all pods may write to)" }}
{{- end }}
{{- if and $v.registry.bucket $v.registry.existingClaim }}
{{- fail (printf "two registries: registry.bucket is %q and registry.existingClaim is %q; a release line lives in one of them, so say only one" $v.registry.bucket $v.registry.existingClaim) }}
{{- end }}
{{- if and $v.registry.existingClaim (or $v.registry.endpoint $v.registry.credentialsSecret) }}
{{- fail "registry.endpoint and registry.credentialsSecret are of a bucket, and registry.existingClaim says that the registry is a volume: say only one" }}
{{- end }}
{{- $own := dict "registry" "registry.bucket or registry.existingClaim" "listen" "nothing: the chart says it" "metrics_listen" "nothing: the chart says it" "operators_listen" "operators.port" "cache" "cache" "base" "base.name" "insecure" "security.insecure" "trusted_proxy" "security.trustedProxy" "identity.tokens" "security.tokens" "tls.certificate" "security.serverTlsSecret" "tls.key" "security.serverTlsSecret" "drain_seconds_max" "drain.jobSeconds" "stop_seconds_max" "drain.stopSeconds" "advertise" "nothing: the chart says it" "jobs.folder" "cache" }}
{{- range $name, $_ := $v.settings }}
{{- if hasKey $own $name }}
{{- fail (printf "settings has %q, which the chart says already: use %s" $name (get $own $name)) }}
{{- end }}
{{- end }}
{{- range $v.secretSettings }}
{{- if or (hasKey $own .setting) (hasKey $v.settings .setting) }}
{{- fail (printf "secretSettings has %q, which is said elsewhere too: say it once" .setting) }}
{{- end }}
{{- end }}
{{- $isSealed := or $v.security.frontTlsSecret $v.security.trustedProxy }}
{{- $asks := or $v.security.tokens (hasKey $v.settings "identity.jwt_issuer") }}
{{- if and (not $v.security.insecure) (not $isSealed) }}
{{- fail "callers would send tokens and prompts in the clear: say security.frontTlsSecret (Envoy ends TLS), security.trustedProxy (what ends it in front of Envoy), or security.insecure on a network that you trust" }}
{{- end }}
{{- if and (not $v.security.insecure) (not $asks) }}
{{- fail "nobody would be asked who they are: say security.tokens, settings.identity.jwt_issuer, or security.insecure on a network that you trust" }}
{{- end }}
{{- if and $v.security.insecure $isSealed }}
{{- fail "security.insecure gives up what security.frontTlsSecret or security.trustedProxy asks for: say only one" }}
{{- end }}
{{- if and (eq $v.cache.kind "existingClaim") (not $v.cache.existingClaim) }}
{{- fail "cache.kind is existingClaim, and cache.existingClaim names none" }}
{{- end }}
{{- if and (ne $v.cache.kind "existingClaim") $v.cache.existingClaim }}
{{- fail (printf "cache.existingClaim is %q, and cache.kind is %s: say cache.kind existingClaim, or no claim" $v.cache.existingClaim $v.cache.kind) }}
{{- end }}
{{- if ne (empty $v.envoy.otherBase.host) (empty $v.envoy.otherBase.fingerprint) }}
{{- fail "envoy.otherBase needs both: host, the headless Service of the other base's servers, and fingerprint, the first 12 digits of that base's" }}
{{- end }}
{{- if gt (int $v.autoscaling.minReplicas) (int $v.autoscaling.maxReplicas) }}
{{- fail "autoscaling.minReplicas is above autoscaling.maxReplicas" }}
{{- end }}
{{- if and (eq $v.autoscaling.kind "keda") (not $v.autoscaling.prometheusAddress) }}
{{- fail "autoscaling.kind is keda, and autoscaling.prometheusAddress does not say whom KEDA asks" }}
{{- end }}
{{- if and $v.gateway.ingress.enabled (not (and $v.gateway.enabled $v.gateway.ingress.host $v.gateway.ingress.tlsSecret)) }}
{{- fail "gateway.ingress needs gateway.enabled, gateway.ingress.host, and gateway.ingress.tlsSecret: the gateway itself speaks no TLS" }}
{{- end }}
{{- if and $v.monitoring.serviceMonitor $asks (not $v.monitoring.tokenSecret) }}
{{- fail "the metrics page asks for a token with operate in *: say monitoring.tokenSecret, the Secret that holds Prometheus' token" }}
{{- end }}
{{- end }}
