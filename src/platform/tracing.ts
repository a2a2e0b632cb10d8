import type { Tracer } from '@opentelemetry/api';

export interface Tracing {
  tracer: Tracer;
  /** Sends what is left, for a few seconds at the most. */
  stop(): Promise<void>;
}

const LAST_SEND_MS = 3000;

/**
 * Spans over OTLP/HTTP to the collector at `otlpUrl`, else to the one that OpenTelemetry's own variables name
 * (`OTEL_EXPORTER_OTLP_ENDPOINT`, `OTEL_EXPORTER_OTLP_TRACES_ENDPOINT`; headers, time-out and compression are theirs in any case,
 * and so are `OTEL_SERVICE_NAME` and `OTEL_RESOURCE_ATTRIBUTES`). Null where nobody names one: then nothing is loaded.
 */
export async function startTracing(
  { otlpUrl }: { otlpUrl?: string | undefined },
  env: Readonly<Record<string, string | undefined>>,
  version: string,
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
  const exporter = new OTLPTraceExporter(otlpUrl === undefined ? {} : { url: tracesUrl(otlpUrl) });
  const provider = new TracerProvider({
    resource: own.merge(detectResources({ detectors: [envDetector] })),
    spanProcessors: [new BatchSpanProcessor({ exporter })],
  });
  return {
    tracer: provider.getTracer('zerorate', version),
    async stop() {
      const late = new Promise<void>((resolve) => setTimeout(resolve, LAST_SEND_MS).unref());
      // A collector that is gone must not keep the engine.
      await Promise.race([provider.shutdown().catch(() => {}), late]);
    },
  };
}

function tracesUrl(otlpUrl: string): string {
  return new URL('v1/traces', otlpUrl.endsWith('/') ? otlpUrl : `${otlpUrl}/`).href;
}
