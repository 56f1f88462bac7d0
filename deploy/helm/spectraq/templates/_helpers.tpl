{{- define "spectraq.name" -}}
{{- if contains "spectraq" .Release.Name }}{{ .Release.Name | trunc 50 | trimSuffix "-" }}{{ else }}{{ printf "%s-spectraq" .Release.Name | trunc 50 | trimSuffix "-" }}{{ end }}
{{- end }}

{{- define "spectraq.selector" -}}
app.kubernetes.io/name: spectraq
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "spectraq.labels" -}}
{{ include "spectraq.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version }}
{{- end }}

{{- define "spectraq.image" -}}
{{ .Values.image.repository }}:{{ .Values.image.tag | default .Chart.AppVersion }}
{{- end }}

{{- /* Where the cache is: what the settings say, else this release's own. */ -}}
{{- define "spectraq.redis" -}}
{{- if .Values.settings.redis.url }}{{ .Values.settings.redis.url }}{{ else if .Values.cache.enabled }}{{ printf "redis://%s-cache:6379/0" (include "spectraq.name" .) }}{{ end }}
{{- end }}

{{- /* Environment of every role: settings by section and key, secrets as the files that variables name. */ -}}
{{- define "spectraq.environment" -}}
{{- if not .Values.settings.kafka.bootstrap_servers }}{{ fail "settings.kafka.bootstrap_servers: say where Kafka is, such as my-cluster-kafka-bootstrap.kafka:9092" }}{{ end }}
{{- $redis := include "spectraq.redis" . }}
{{- range $section, $keys := .Values.settings }}
{{- range $key, $value := $keys }}
{{- if and (ne (toString $value) "") (not (and (eq $section "redis") (eq $key "url"))) }}
- name: SPECTRAQ_{{ upper $section }}__{{ upper $key }}
  value: {{ include "spectraq.text" $value | quote }}
{{- end }}
{{- end }}
{{- end }}
{{- if not (hasKey .Values.secrets "redis.url") }}
{{- if $redis }}
- name: SPECTRAQ_REDIS__URL
  value: {{ $redis | quote }}
{{- else if not (hasKey .Values.settings.redis "enabled") }}
- name: SPECTRAQ_REDIS__ENABLED
  value: "false"
{{- end }}
{{- end }}
{{- range $setting, $reference := .Values.secrets }}
- name: SPECTRAQ_{{ $setting | replace "." "__" | upper }}_FILE
  value: /run/secrets/spectraq/{{ $setting }}
{{- end }}
{{- if or .Values.ca.secret .Values.ca.configMap }}
- name: SPECTRAQ_KAFKA__SSL_CAFILE
  value: /run/spectraq/ca/{{ .Values.ca.key }}
{{- end }}
{{- end }}

{{- /* Whole numbers of values.yaml are floats to Helm: 1e+06 is no number of ours. */ -}}
{{- define "spectraq.text" -}}
{{- if kindIs "float64" . }}{{ if eq . (floor .) }}{{ int64 . }}{{ else }}{{ . }}{{ end }}{{ else if kindIs "slice" . }}{{ toJson . }}{{ else }}{{ . }}{{ end }}
{{- end }}

{{- define "spectraq.mounts" -}}
- name: tmp
  mountPath: /tmp
{{- if .Values.secrets }}
- name: secrets
  mountPath: /run/secrets/spectraq
  readOnly: true
{{- end }}
{{- if or .Values.ca.secret .Values.ca.configMap }}
- name: ca
  mountPath: /run/spectraq/ca
  readOnly: true
{{- end }}
{{- end }}

{{- define "spectraq.volumes" -}}
- name: tmp
  emptyDir: {}
{{- if .Values.secrets }}
- name: secrets
  projected:
    defaultMode: 0440
    sources:
      {{- range $setting, $reference := .Values.secrets }}
      - secret:
          name: {{ required (printf "secrets.%s.name: the Secret that holds it" $setting) $reference.name }}
          items:
            - key: {{ required (printf "secrets.%s.key: its key in the Secret" $setting) $reference.key }}
              path: {{ $setting }}
      {{- end }}
{{- end }}
{{- if .Values.ca.secret }}
- name: ca
  secret:
    secretName: {{ .Values.ca.secret }}
{{- else if .Values.ca.configMap }}
- name: ca
  configMap:
    name: {{ .Values.ca.configMap }}
{{- end }}
{{- end }}

{{- define "spectraq.podSecurity" -}}
runAsNonRoot: true
runAsUser: 10001
runAsGroup: 10001
fsGroup: 10001
seccompProfile:
  type: RuntimeDefault
{{- end }}

{{- define "spectraq.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities:
  drop: [ALL]
{{- end }}

{{- define "spectraq.pod" -}}
serviceAccountName: {{ include "spectraq.name" . }}
automountServiceAccountToken: false
enableServiceLinks: false
securityContext:
  {{- include "spectraq.podSecurity" . | nindent 2 }}
{{- with .Values.image.pullSecrets }}
imagePullSecrets:
  {{- range . }}
  - name: {{ . }}
  {{- end }}
{{- end }}
{{- end }}

{{- define "spectraq.workers" -}}
{{- if .Values.autoscaling.maxReplicas }}{{ .Values.autoscaling.maxReplicas }}{{ else }}{{ .Values.settings.topics.partitions }}{{ end }}
{{- end }}
