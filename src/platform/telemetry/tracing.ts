import type { Tracer } from '@opentelemetry/api';
import type { SpanExporter } from '@opentelemetry/sdk-trace';

export interface Tracing {
  tracer: Tracer;
  /** Sends what is left, for a few seconds at the most; what does not arrive by then is lost. */
  stop(): Promise<void>;
}

/** One request with its repetitions. It bounds how long a collector that is gone keeps a process from its end. */
const SEND_MS = 3000;

/**
 * Spans over OTLP/HTTP to the collector at `otlpUrl`, else to the one that OpenTelemetry's own variables name
 * (`OTEL_EXPORTER_OTLP_ENDPOINT`, `OTEL_EXPORTER_OTLP_TRACES_ENDPOINT`; headers and compression are theirs in any case, and so are
 * `OTEL_SERVICE_NAME` and `OTEL_RESOURCE_ATTRIBUTES`). Null where neither names one: then nothing is loaded.
 * `onProblem` hears of spans that the collector did not take.
 */
export async function startTracing(
  { otlpUrl }: { otlpUrl?: string | undefined },
  env: Readonly<Record<string, string | undefined>>,
  version: string,
  onProblem: (error: unknown) => void,
): Promise<Tracing | null> {
  const byVariable = env.OTEL_EXPORTER_OTLP_TRACES_ENDPOINT || env.OTEL_EXPORTER_OTLP_ENDPOINT;
  if (env.OTEL_SDK_DISABLED === 'true' || (otlpUrl === undefined && !byVariable)) return null;
  const [{ BatchSpanProcessor, TracerProvider }, { OTLPTraceExporter }, resources] = await Promise.all([
    import('@opentelemetry/sdk-trace'),
    import('@opentelemetry/exporter-trace-otlp-http'),
    import('@opentelemetry/resources'),
  ]);
  const { detectResources, envDetector, resourceFromAttributes } = resources;
  const own = resourceFromAttributes({ 'service.name': 'zerorate', 'service.version': version });
  const exporter = new OTLPTraceExporter({
    timeoutMillis: SEND_MS,
    ...(otlpUrl !== undefined && { url: tracesUrl(otlpUrl) }),
  });
  const provider = new TracerProvider({
    resource: own.merge(detectResources({ detectors: [envDetector] })),
    spanProcessors: [new BatchSpanProcessor({ exporter: reporting(exporter, onProblem) })],
  });
  return {
    tracer: provider.getTracer('zerorate', version),
    async stop() {
      await provider.shutdown().catch(() => {});
    },
  };
}

function reporting(exporter: SpanExporter, onProblem: (error: unknown) => void): SpanExporter {
  return {
    export: (spans, done) =>
      exporter.export(spans, (result) => {
        if (result.error !== undefined) onProblem(result.error);
        done(result);
      }),
    shutdown: () => exporter.shutdown(),
    forceFlush: async () => exporter.forceFlush?.(),
  };
}

function tracesUrl(otlpUrl: string): string {
  return new URL('v1/traces', otlpUrl.endsWith('/') ? otlpUrl : `${otlpUrl}/`).href;
}
