{{- /* SPDX-License-Identifier: Apache-2.0
The configuration of Envoy: that of deploy/envoy, read as it is, with the addresses of this installation and what its
values switch on. No policy is written here; deploy/envoy is the one place where it is. */ -}}

{{- define "tabard.envoyConfig" -}}
{{- $name := include "tabard.name" . }}
{{- $config := .Files.Get "files/envoy.yaml" | fromYaml }}
{{- $sealed := .Files.Get "files/tls.yaml" | fromYaml }}
{{- $several := .Files.Get "files/bases.yaml" | fromYaml }}
{{- $listener := index $config.static_resources.listeners 0 }}
{{- $_ := set $listener.address "socket_address" (dict "address" "0.0.0.0" "port_value" 50050) }}
{{- $chain := index $listener.filter_chains 0 }}
{{- $cluster := index $config.static_resources.clusters 0 }}
{{- $hosts := list (dict "cluster" $cluster "host" (printf "%s-servers" $name)) }}
{{- if .Values.envoy.otherBase.host }}
{{- $manager := (index $chain.filters 0).typed_config }}
{{- $its := (index (index (index $several.static_resources.listeners 0).filter_chains 0).filters 0).typed_config }}
{{- $_ := set $manager "route_config" $its.route_config }}
{{- range (index $manager.route_config.virtual_hosts 0).routes }}
{{- range .match.headers }}
{{- $_ := set .string_match "exact" $.Values.envoy.otherBase.fingerprint }}
{{- end }}
{{- end }}
{{- $other := index $several.static_resources.clusters 1 }}
{{- $_ := set $config.static_resources "clusters" (list $cluster $other) }}
{{- $hosts = append $hosts (dict "cluster" $other "host" .Values.envoy.otherBase.host) }}
{{- end }}
{{- range $hosts }}
{{- $_ := set .cluster "type" "STRICT_DNS" }}
{{- $_ := set .cluster "dns_lookup_family" "V4_PREFERRED" }}
{{- $_ := set .cluster.common_lb_config.consistent_hashing_lb_config "hash_balance_factor" ($.Values.envoy.balanceFactor | int) }}
{{- $address := dict "socket_address" (dict "address" .host "port_value" 50051) }}
{{- $_ := set .cluster.load_assignment "endpoints" (list (dict "lb_endpoints" (list (dict "endpoint" (dict "address" $address))))) }}
{{- if $.Values.security.serverTlsSecret }}
{{- $socket := (index $sealed.static_resources.clusters 0).transport_socket | deepCopy }}
{{- $_ := set $socket.typed_config "sni" $.Values.security.serverName }}
{{- $validation := $socket.typed_config.common_tls_context.validation_context }}
{{- $_ := set $validation.trusted_ca "filename" "/etc/tabard/server-tls/ca.crt" }}
{{- $_ := set (index $validation.match_typed_subject_alt_names 0).matcher "exact" $.Values.security.serverName }}
{{- $_ := set .cluster "transport_socket" $socket }}
{{- end }}
{{- end }}
{{- if .Values.security.frontTlsSecret }}
{{- $socket := (index (index $sealed.static_resources.listeners 0).filter_chains 0).transport_socket }}
{{- $certificate := index $socket.typed_config.common_tls_context.tls_certificates 0 }}
{{- $_ := set $certificate.certificate_chain "filename" "/etc/tabard/front-tls/tls.crt" }}
{{- $_ := set $certificate.private_key "filename" "/etc/tabard/front-tls/tls.key" }}
{{- $_ := set $chain "transport_socket" $socket }}
{{- end }}
{{- $manager := (index $chain.filters 0).typed_config }}
{{- $_ := set $manager "drain_timeout" (printf "%ds" (.Values.drain.jobSeconds | int)) }}
{{- toYaml $config }}
{{- end }}
