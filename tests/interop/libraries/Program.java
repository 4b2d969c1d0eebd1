import java.net.URI;
import java.net.URLEncoder;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpRequest.BodyPublishers;
import java.net.http.HttpResponse;
import java.net.http.HttpResponse.BodyHandlers;
import java.nio.charset.StandardCharsets;
import java.util.Base64;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** The system's properties lead the way and say whom to trust, as they do for the library. */
public class Program {
  static final String SID = System.getenv("TWILIO_ACCOUNT_SID");
  static final String LOGIN = SID + ":" + System.getenv("TWILIO_AUTH_TOKEN");

  static HttpResponse<String> ask(String method, String path, String form) throws Exception {
    var to = URI.create("https://api.twilio.com/2010-04-01/Accounts/" + SID + path);
    var request = HttpRequest.newBuilder(to)
        .version(HttpClient.Version.HTTP_1_1)
        .header("Accept", "application/json")
        .header("Authorization", "Basic " + Base64.getEncoder().encodeToString(LOGIN.getBytes()))
        .header("Content-Type", "application/x-www-form-urlencoded")
        .method(method, BodyPublishers.ofString(form))
        .build();
    return HttpClient.newHttpClient().send(request, BodyHandlers.ofString());
  }

  static String encoded(String text) {
    return URLEncoder.encode(text, StandardCharsets.UTF_8);
  }

  static String property(String body, String name) {
    Matcher found = Pattern.compile("\"" + name + "\": \"?([^\",]*)").matcher(body);
    return found.find() ? found.group(1) : "";
  }

  public static void main(String[] arguments) throws Exception {
    var out = new java.io.PrintStream(System.out, true, StandardCharsets.UTF_8);
    out.println(property(ask("GET", ".json", "").body(), "sid"));
    var named = "FriendlyName=" + encoded("Caf\u00e9 & Co");
    var application = ask("POST", "/Applications.json", named).body();
    out.println(property(application, "friendly_name"));
    var text = "To=" + encoded("+14155550199") + "&From=" + encoded("+15550100100");
    var media = "&MediaUrl=" + encoded("http://127.0.0.1:1/a")
        + "&MediaUrl=" + encoded("http://127.0.0.1:1/b");
    out.println(property(ask("POST", "/Messages.json", text + media).body(), "num_media"));
    var refused = ask("POST", "/Messages.json", text);
    out.println(refused.statusCode() + " " + property(refused.body(), "code"));
    var path = "/Applications/" + property(application, "sid") + ".json";
    out.println(ask("DELETE", path, "").statusCode() == 204 ? "gone" : "still there");
  }
}
