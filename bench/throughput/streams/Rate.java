import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.HashMap;
import java.util.Map;
import java.util.Properties;
import java.util.TreeMap;
import java.util.concurrent.atomic.LongAdder;
import org.apache.avro.Schema;
import org.apache.avro.generic.GenericDatumReader;
import org.apache.avro.generic.GenericRecord;
import org.apache.avro.io.BinaryDecoder;
import org.apache.avro.io.DecoderFactory;
import org.apache.kafka.common.serialization.Serdes;
import org.apache.kafka.streams.KafkaStreams;
import org.apache.kafka.streams.StreamsConfig;
import org.apache.kafka.streams.Topology;
import org.apache.kafka.streams.processor.api.Processor;
import org.apache.kafka.streams.processor.api.ProcessorContext;
import org.apache.kafka.streams.processor.api.Record;
import org.apache.kafka.streams.state.KeyValueStore;
import org.apache.kafka.streams.state.Stores;

/** Classifies by tag or longest prefix, applies share and quota from a state store, and writes each charge to a topic. */
public final class Rate {
  private static final long QUOTA_OCTETS = 1L << 50;
  private static final long SHARE_BASIS_POINTS = 10_000;
  private static final int HEADER_OCTETS = 5;
  private static final LongAdder RECORDS = new LongAdder();
  private static final LongAdder OCTETS = new LongAdder();
  private static final LongAdder CHARGED = new LongAdder();

  private record Application(String id, long microsPerMiB) {}

  private static final Map<String, Application> BY_TAG = new HashMap<>();
  private static final TreeMap<Integer, Application> BY_PREFIX = new TreeMap<>();

  static {
    for (int index = 0; index < 100; index++) {
      Application application = new Application("app-" + index, 1000L + 100L * index);
      BY_TAG.put("TAG-" + index, application);
      BY_PREFIX.put(addressOf("198.18." + index + ".0") >>> 8, application);
    }
  }

  private static final class Rater implements Processor<String, byte[], String, String> {
    private final GenericDatumReader<GenericRecord> reader;
    private ProcessorContext<String, String> context;
    private KeyValueStore<String, Long> used;
    private BinaryDecoder decoder;
    private GenericRecord flow;

    Rater(Schema schema) {
      reader = new GenericDatumReader<>(schema);
    }

    @Override
    public void init(ProcessorContext<String, String> context) {
      this.context = context;
      used = context.getStateStore("used");
    }

    @Override
    public void process(Record<String, byte[]> message) {
      byte[] value = message.value();
      try {
        decoder = DecoderFactory.get().binaryDecoder(value, HEADER_OCTETS, value.length - HEADER_OCTETS, decoder);
        flow = reader.read(flow, decoder);
      } catch (java.io.IOException error) {
        throw new java.io.UncheckedIOException(error);
      }
      long octets = (Long) flow.get("uplinkOctets") + (Long) flow.get("downlinkOctets");
      RECORDS.increment();
      OCTETS.add(octets);
      Object tag = flow.get("zeroRatingTag");
      Application application = tag == null ? null : BY_TAG.get(tag.toString());
      if (application == null) application = BY_PREFIX.get(addressOf(flow.get("remoteIp").toString()) >>> 8);
      if (application == null) return;
      String counter = message.key() + ' ' + application.id();
      Long before = used.get(counter);
      long usedOctets = before == null ? 0 : before;
      long sponsored = Math.min(octets * SHARE_BASIS_POINTS / 10_000, QUOTA_OCTETS - usedOctets);
      used.put(counter, usedOctets + sponsored);
      long micros = (sponsored * application.microsPerMiB() + (1 << 19)) >> 20;
      CHARGED.increment();
      context.forward(message.withValue(
          application.id() + ',' + flow.get("nodeId") + ',' + flow.get("localSequenceNumber") + ',' + sponsored + ',' + micros
              + ',' + (QUOTA_OCTETS - usedOctets - sponsored)));
    }
  }

  private static int addressOf(String text) {
    int address = 0;
    int part = 0;
    for (int at = 0; at < text.length(); at++) {
      char letter = text.charAt(at);
      if (letter == ':') return 0;
      if (letter == '.') {
        address = (address << 8) | part;
        part = 0;
      } else {
        part = part * 10 + letter - '0';
      }
    }
    return (address << 8) | part;
  }

  public static void main(String[] args) throws Exception {
    String topic = args[2];
    Schema schema = new Schema.Parser().parse(System.getenv("FLOW_RECORD_SCHEMA"));
    Topology topology = new Topology();
    topology.addSource("flows", Serdes.String().deserializer(), Serdes.ByteArray().deserializer(), topic);
    topology.addProcessor("rate", () -> new Rater(schema), "flows");
    topology.addStateStore(
        Stores.keyValueStoreBuilder(Stores.inMemoryKeyValueStore("used"), Serdes.String(), Serdes.Long()), "rate");
    topology.addSink("charges", args[1] + "-charges", Serdes.String().serializer(), Serdes.String().serializer(), "rate");

    Properties settings = new Properties();
    settings.put(StreamsConfig.APPLICATION_ID_CONFIG, args[1]);
    settings.put(StreamsConfig.BOOTSTRAP_SERVERS_CONFIG, args[0]);
    settings.put(StreamsConfig.PROCESSING_GUARANTEE_CONFIG, StreamsConfig.EXACTLY_ONCE_V2);
    settings.put(StreamsConfig.NUM_STREAM_THREADS_CONFIG, 2);
    settings.put(StreamsConfig.STATE_DIR_CONFIG, java.nio.file.Files.createTempDirectory("zerorate-bench-").toString());
    settings.put("auto.offset.reset", "earliest");
    KafkaStreams streams = new KafkaStreams(topology, settings);
    Runtime.getRuntime().addShutdownHook(new Thread(() -> streams.close(java.time.Duration.ofSeconds(10))));
    streams.start();
    while (true) {
      Thread.sleep(20);
      System.out.println("{\"records\":" + RECORDS.sum() + ",\"octets\":" + OCTETS.sum() + ",\"charged\":" + CHARGED.sum() + "}");
    }
  }
}
