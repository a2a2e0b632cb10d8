{{- define "zerorate.name" -}}
{{- if contains .Chart.Name .Release.Name -}}{{ .Release.Name | trunc 63 | trimSuffix "-" }}
{{- else -}}{{ printf "%s-%s" .Release.Name .Chart.Name | trunc 63 | trimSuffix "-" }}{{- end -}}
{{- end -}}

{{- define "zerorate.selector" -}}
app.kubernetes.io/name: {{ .Chart.Name }}
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/component: engine
{{- end -}}

{{- define "zerorate.labels" -}}
{{ include "zerorate.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version }}
{{- end -}}

{{- define "zerorate.metadata" -}}
name: {{ include "zerorate.name" . }}
namespace: {{ .Release.Namespace }}
labels:
  {{- include "zerorate.labels" . | nindent 2 }}
{{- end -}}

{{- define "zerorate.catalogue" -}}
{{- if .Values.existingCatalogue -}}{{ .Values.existingCatalogue }}
{{- else if .Values.catalogue -}}{{ include "zerorate.name" . }}-catalogue
{{- else -}}{{ fail "name a catalogue: set catalogue (--set-file catalogue=catalogue.yaml) or existingCatalogue" }}{{- end -}}
{{- end -}}

{{- /* Each secret: the variable that names its file, and where it is mounted. */ -}}
{{- define "zerorate.secretVariables" -}}
storePassword: ZERORATE_STORE_PASSWORD_FILE
pseudonymKey: ZERORATE_PSEUDONYM_KEY_FILE
saslPassword: ZERORATE_KAFKA_SASL_PASSWORD_FILE
oauthClientSecret: ZERORATE_KAFKA_SASL_CLIENT_SECRET_FILE
registryPassword: ZERORATE_REGISTRY_PASSWORD_FILE
{{- end -}}

{{/* The configuration. values.yaml sets reload.intervalMs: it gives way to values of the version before, which have it as everyMs. */}}
{{- define "zerorate.config" -}}
{{- $config := deepCopy .Values.config -}}
{{- if hasKey (default dict $config.reload) "everyMs" -}}
{{- $_ := unset $config.reload "intervalMs" -}}
{{- end -}}
{{- toYaml $config -}}
{{- end -}}
