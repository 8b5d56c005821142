import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpServer;
import java.io.FileOutputStream;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.nio.charset.StandardCharsets;
import java.util.concurrent.Executors;

/**
 * The JDK's HttpServer with a thread pool. Usage: java JdkServer [HOST:PORT]; environment: ADDRESS, RELEASE,
 * EXECUTION_LOG. It has no shutdown hook: SIGTERM ends it at once.
 */
public final class JdkServer {
    private static final String RELEASE = env("RELEASE", "unnamed");
    private static FileOutputStream log;

    public static void main(String[] args) throws IOException {
        System.setProperty("sun.net.httpserver.nodelay", "true");
        String address = args.length > 0 ? args[0] : env("ADDRESS", "127.0.0.1:8080");
        if (System.getenv("EXECUTION_LOG") != null) {
            log = new FileOutputStream(System.getenv("EXECUTION_LOG"), true);
        }
        int colon = address.lastIndexOf(':');
        var host = address.substring(0, colon).replaceAll("[\\[\\]]", "");
        var bound = new InetSocketAddress(host, Integer.parseInt(address.substring(colon + 1)));
        HttpServer server = HttpServer.create(bound, 512);
        server.setExecutor(Executors.newCachedThreadPool());
        server.createContext("/", JdkServer::handle);
        server.start();
    }

    private static void handle(HttpExchange exchange) throws IOException {
        try (exchange) {
            byte[] request = exchange.getRequestBody().readAllBytes();
            answer(exchange, request);
        }
    }

    private static void answer(HttpExchange exchange, byte[] request) throws IOException {
        byte[] body = (RELEASE + "\n").getBytes(StandardCharsets.UTF_8);
        String path = exchange.getRequestURI().getPath();
        if (exchange.getRequestMethod().equals("POST")) {
            body = request;
            if (log != null) {
                String line = new String(request, StandardCharsets.UTF_8).split("\n", 2)[0] + "\n";
                log.write(line.getBytes(StandardCharsets.UTF_8));
            }
        } else if (path.equals("/pid")) {
            body = (ProcessHandle.current().pid() + "\n").getBytes(StandardCharsets.UTF_8);
        } else if (path.equals("/slow")) {
            pause(exchange.getRequestURI().getQuery());
        }
        exchange.getResponseHeaders().set("X-Release", RELEASE);
        exchange.sendResponseHeaders(200, body.length);
        exchange.getResponseBody().write(body);
    }

    private static void pause(String query) throws IOException {
        double seconds = query != null && query.startsWith("d=") ? Double.parseDouble(query.substring(2).replace("s", "")) : 10;
        try {
            Thread.sleep((long) (seconds * 1000));
        } catch (InterruptedException e) {
            throw new IOException(e);
        }
    }

    private static String env(String name, String initial) {
        String value = System.getenv(name);
        return value == null ? initial : value;
    }
}
