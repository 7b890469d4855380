{{- define "dns-drift.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" }}
{{- end }}

{{- define "dns-drift.fullname" -}}
{{- $name := default .Chart.Name .Values.nameOverride }}
{{- if .Values.fullnameOverride }}
{{- .Values.fullnameOverride | trunc 63 | trimSuffix "-" }}
{{- else if contains $name .Release.Name }}
{{- .Release.Name | trunc 63 | trimSuffix "-" }}
{{- else }}
{{- printf "%s-%s" .Release.Name $name | trunc 63 | trimSuffix "-" }}
{{- end }}
{{- end }}

{{- define "dns-drift.selector" -}}
app.kubernetes.io/name: {{ include "dns-drift.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "dns-drift.labels" -}}
{{ include "dns-drift.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- with .Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{- define "dns-drift.serviceAccount" -}}
{{- if .Values.serviceAccount.create }}
{{- default (include "dns-drift.fullname" .) .Values.serviceAccount.name }}
{{- else }}
{{- required "serviceAccount.name is needed when serviceAccount.create is false" .Values.serviceAccount.name }}
{{- end }}
{{- end }}

{{- define "dns-drift.image" -}}
{{- if .Values.image.digest }}
{{- printf "%s@%s" .Values.image.repository .Values.image.digest }}
{{- else }}
{{- printf "%s:%s" .Values.image.repository (default .Chart.AppVersion .Values.image.tag) }}
{{- end }}
{{- end }}

{{/* Rules of the ClusterRole: one for each API group, with the kinds of all sources that are on. */}}
{{- define "dns-drift.rules" -}}
{{- $table := .Files.Get "files/sources.yaml" | fromYaml }}
{{- $rows := list $table.always }}
{{- range .Values.sources }}
{{- $rows = append $rows (get $table.sources .) }}
{{- end }}
{{- if dig "namespace_labels" false .Values.config }}
{{- $rows = append $rows (dict "core" (list "namespaces")) }}
{{- end }}
{{- $groups := dict }}
{{- range $row := $rows }}
{{- range $group, $kinds := $row }}
{{- $_ := set $groups $group (concat (get $groups $group | default list) $kinds | uniq | sortAlpha) }}
{{- end }}
{{- end }}
{{- range $group := keys $groups | sortAlpha }}
- apiGroups: [{{ eq $group "core" | ternary "" $group | quote }}]
  resources: {{ get $groups $group | toJson }}
  verbs: ["list", "watch"]
{{- end }}
{{- end }}

{{/* What ServiceMonitor and PodMonitor share: one endpoint. */}}
{{- define "dns-drift.scrape" -}}
- port: http
  path: /metrics
  interval: {{ .interval }}
  scrapeTimeout: {{ .scrapeTimeout }}
  {{- with .scheme }}
  scheme: {{ . }}
  {{- end }}
  {{- with .endpoint }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
  {{- with .relabelings }}
  relabelings:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with .metricRelabelings }}
  metricRelabelings:
    {{- toYaml . | nindent 4 }}
  {{- end }}
{{- end }}

{{/* `https` where the port speaks TLS. */}}
{{- define "dns-drift.scheme" -}}
{{- if and .Values.webConfig.secretName (eq .Values.webConfig.scheme "HTTPS") }}https{{ end }}
{{- end }}

{{/* What a probe asks. */}}
{{- define "dns-drift.probe" -}}
{{- if and .root.Values.webConfig.secretName .root.Values.webConfig.clientCertificates }}
tcpSocket:
  port: http
{{- else }}
httpGet:
  path: {{ .path }}
  port: http
  {{- if include "dns-drift.scheme" .root }}
  scheme: HTTPS
  {{- end }}
{{- end }}
{{- end }}
