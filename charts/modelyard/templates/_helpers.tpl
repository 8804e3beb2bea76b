{{- define "modelyard.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 40 | trimSuffix "-" -}}
{{- end -}}

{{/* Forty characters leave room for `-controller` and what Kubernetes adds to the names of pods. */}}
{{- define "modelyard.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 40 | trimSuffix "-" -}}
{{- else if contains (include "modelyard.name" .) .Release.Name -}}
{{- .Release.Name | trunc 40 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name (include "modelyard.name" .) | trunc 40 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{/* Labels of one part. Takes (list $ "part"). */}}
{{- define "modelyard.selector" -}}
{{- $ := index . 0 -}}
app.kubernetes.io/name: {{ include "modelyard.name" $ }}
app.kubernetes.io/instance: {{ $.Release.Name }}
app.kubernetes.io/component: {{ index . 1 }}
{{- end -}}

{{- define "modelyard.labels" -}}
{{- $ := index . 0 -}}
helm.sh/chart: {{ $.Chart.Name }}-{{ $.Chart.Version | replace "+" "_" }}
app.kubernetes.io/version: {{ $.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ $.Release.Service }}
{{ include "modelyard.selector" . }}
{{- end -}}

{{/* An image. Takes (list $ "service"). */}}
{{- define "modelyard.image" -}}
{{- $ := index . 0 -}}
{{- $image := index $.Values.images (index . 1) -}}
{{ $image.repository }}:{{ default $.Chart.AppVersion $image.tag }}
{{- end -}}

{{- define "modelyard.pullSecrets" -}}
{{- with .Values.images.pullSecrets }}
imagePullSecrets:
  {{- range . }}
  - name: {{ . }}
  {{- end }}
{{- end }}
{{- end -}}

{{- define "modelyard.trainingNamespace" -}}
{{- default (printf "%s-runs" .Release.Namespace) .Values.training.namespace -}}
{{- end -}}

{{- define "modelyard.trainingNamespaces" -}}
{{- prepend .Values.training.moreNamespaces (include "modelyard.trainingNamespace" .) | uniq | toJson -}}
{{- end -}}

{{- define "modelyard.registryUrl" -}}
http://{{ include "modelyard.fullname" . }}-registry.{{ .Release.Namespace }}.svc:{{ .Values.registry.service.port }}
{{- end -}}

{{- define "modelyard.authSecret" -}}
{{- default (printf "%s-auth" (include "modelyard.fullname" .)) .Values.auth.existingSecret -}}
{{- end -}}

{{- define "modelyard.runKeySecret" -}}
{{- default (printf "%s-run-key" (include "modelyard.fullname" .)) .Values.runKey.existingSecret -}}
{{- end -}}

{{/* The restricted profile, for a pod and for a container. */}}
{{- define "modelyard.podSecurity" -}}
runAsNonRoot: true
runAsUser: 10001
runAsGroup: 10001
fsGroup: 10001
seccompProfile: {type: RuntimeDefault}
{{- end -}}

{{- define "modelyard.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities: {drop: [ALL]}
{{- end -}}

{{/* Where AWS is, and who we are there. Takes (list $ "name of the Secret"). */}}
{{- define "modelyard.awsEnv" -}}
{{- $ := index . 0 -}}
- {name: AWS_REGION, value: {{ $.Values.aws.region | quote }}}
- {name: AWS_DEFAULT_REGION, value: {{ $.Values.aws.region | quote }}}
{{- with $.Values.aws.dynamodbEndpoint }}
- {name: AWS_ENDPOINT_URL_DYNAMODB, value: {{ . | quote }}}
{{- end }}
{{- with $.Values.aws.s3Endpoint }}
- {name: AWS_ENDPOINT_URL_S3, value: {{ . | quote }}}
{{- end }}
{{- with index . 1 }}
- name: AWS_ACCESS_KEY_ID
  valueFrom: {secretKeyRef: {name: {{ . | quote }}, key: AWS_ACCESS_KEY_ID}}
- name: AWS_SECRET_ACCESS_KEY
  valueFrom: {secretKeyRef: {name: {{ . | quote }}, key: AWS_SECRET_ACCESS_KEY}}
{{- end }}
{{- end -}}

{{/* A token that the services take, for a pod of the release: volume, mount and variable. */}}
{{- define "modelyard.tokenVolume" -}}
- name: token
  projected:
    defaultMode: 0440
    sources:
      - serviceAccountToken: {path: token, audience: modelyard, expirationSeconds: 3600}
{{- end -}}

{{/* Pods of a part are spread over nodes. Takes (list $ "part" .Values.part). */}}
{{- define "modelyard.placement" -}}
{{- $ := index . 0 -}}
{{- $part := index . 2 -}}
{{- with $part.nodeSelector }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $part.tolerations }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $part.priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
affinity:
  {{- if $part.affinity }}
  {{- toYaml $part.affinity | nindent 2 }}
  {{- else }}
  podAntiAffinity:
    preferredDuringSchedulingIgnoredDuringExecution:
      - weight: 100
        podAffinityTerm:
          topologyKey: kubernetes.io/hostname
          labelSelector:
            matchLabels:
              {{- include "modelyard.selector" (list $ (index . 1)) | nindent 14 }}
  {{- end }}
{{- end -}}

{{/* The Service, PodDisruptionBudget and HorizontalPodAutoscaler of a part that answers over HTTP. Takes (list $ "part"). */}}
{{- define "modelyard.service" -}}
{{- $ := index . 0 -}}
{{- $name := index . 1 -}}
{{- $part := index $.Values $name -}}
apiVersion: v1
kind: Service
metadata:
  name: {{ include "modelyard.fullname" $ }}-{{ $name }}
  namespace: {{ $.Release.Namespace }}
  labels:
    {{- include "modelyard.labels" . | nindent 4 }}
  {{- with $part.service.annotations }}
  annotations:
    {{- toYaml . | nindent 4 }}
  {{- end }}
spec:
  type: {{ $part.service.type }}
  selector:
    {{- include "modelyard.selector" . | nindent 4 }}
  ports:
    - name: http
      port: {{ $part.service.port }}
      targetPort: http
      {{- if and (eq $part.service.type "NodePort") $part.service.nodePort }}
      nodePort: {{ $part.service.nodePort }}
      {{- end }}
---
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata:
  name: {{ include "modelyard.fullname" $ }}-{{ $name }}
  namespace: {{ $.Release.Namespace }}
  labels:
    {{- include "modelyard.labels" . | nindent 4 }}
spec:
  {{- toYaml $part.disruptionBudget | nindent 2 }}
  selector:
    matchLabels:
      {{- include "modelyard.selector" . | nindent 6 }}
{{- if $part.autoscaling.enabled }}
---
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata:
  name: {{ include "modelyard.fullname" $ }}-{{ $name }}
  namespace: {{ $.Release.Namespace }}
  labels:
    {{- include "modelyard.labels" . | nindent 4 }}
spec:
  scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: {{ include "modelyard.fullname" $ }}-{{ $name }}}
  minReplicas: {{ $part.autoscaling.minReplicas }}
  maxReplicas: {{ $part.autoscaling.maxReplicas }}
  metrics:
    - type: Resource
      resource:
        name: cpu
        target: {type: Utilization, averageUtilization: {{ $part.autoscaling.targetCPUUtilizationPercentage }}}
{{- end }}
{{- end -}}

{{/* What NetworkPolicies allow: names, the places that values list (anywhere where they list none), the registry. */}}
{{- define "modelyard.dns" -}}
- ports: [{protocol: UDP, port: 53}, {protocol: TCP, port: 53}]
{{- end -}}

{{- define "modelyard.to" -}}
{{- if . -}}
- to:
    {{- toYaml . | nindent 4 }}
{{- else -}}
- {}
{{- end -}}
{{- end -}}

{{- define "modelyard.toRegistry" -}}
- to:
    - podSelector:
        matchLabels:
          {{- include "modelyard.selector" (list . "registry") | nindent 10 }}
      namespaceSelector:
        matchLabels: {kubernetes.io/metadata.name: {{ .Release.Namespace }}}
  ports: [{protocol: TCP, port: 8700}]
{{- end -}}
