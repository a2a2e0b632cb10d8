import java.io.BufferedInputStream;
import java.io.DataInputStream;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Properties;
import java.util.concurrent.locks.LockSupport;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.serialization.ByteArraySerializer;

/**
 * Sends a file's records at a fixed rate, whatever becomes of them, and writes down when each was handed over: for each
 * partition a file of doubles, milliseconds since 1970, by offset. Arguments: broker, topic, file, records a second, folder.
 */
public final class Pace {
    private static final long PAUSE_NANOS = 1_000_000;

    public static void main(String[] args) throws Exception {
        String topic = args[1];
        long rate = Long.parseLong(args[3]);
        Properties settings = new Properties();
        settings.put("bootstrap.servers", args[0]);
        settings.put("batch.size", "131072");
        settings.put("linger.ms", "5");
        settings.put("buffer.memory", "268435456");
        ByteArraySerializer bytes = new ByteArraySerializer();
        SentTimes[] times;
        try (DataInputStream file = new DataInputStream(new BufferedInputStream(Files.newInputStream(Path.of(args[2]))));
                KafkaProducer<byte[], byte[]> producer = new KafkaProducer<>(settings, bytes, bytes)) {
            times = new SentTimes[producer.partitionsFor(topic).size()];
            Arrays.setAll(times, partition -> new SentTimes());
            SentTimes[] all = times;
            long left = file.readLong();
            long begun = System.nanoTime();
            for (long sent = 0; left > 0; LockSupport.parkNanos(PAUSE_NANOS)) {
                long due = Math.multiplyExact(System.nanoTime() - begun, rate) / 1_000_000_000L;
                for (; sent < due && left > 0; sent++, left--) {
                    byte[] key = file.readNBytes(file.readUnsignedByte());
                    byte[] value = file.readNBytes(file.readUnsignedShort());
                    double nowMs = System.currentTimeMillis();
                    producer.send(new ProducerRecord<>(topic, key, value), (place, error) -> {
                        if (error != null) throw new IllegalStateException(error);
                        all[place.partition()].put(place.offset(), nowMs);
                    });
                }
            }
        }
        for (int partition = 0; partition < times.length; partition++) {
            Files.write(Path.of(args[4], "sent-" + partition), times[partition].octets());
        }
    }

    /** Filled by the producer's own thread, and read when that has ended. */
    private static final class SentTimes {
        private double[] times = new double[1 << 16];
        private int count = 0;

        void put(long offset, double timeMs) {
            if (offset != count) throw new IllegalStateException("offset " + offset + " after " + count + " records");
            if (count == times.length) times = Arrays.copyOf(times, count * 2);
            times[count++] = timeMs;
        }

        byte[] octets() {
            ByteBuffer buffer = ByteBuffer.allocate(count * Double.BYTES).order(ByteOrder.LITTLE_ENDIAN);
            buffer.asDoubleBuffer().put(times, 0, count);
            return buffer.array();
        }
    }
}
