# The library's HTTP stack as the library sets it up: Faraday, its default adapter, flat parameters.
require "faraday"
require "json"

SID, TOKEN = ENV["TWILIO_ACCOUNT_SID"], ENV["TWILIO_AUTH_TOKEN"]

def ask(method, path, form = {})
  there = Faraday.new(url: "https://api.twilio.com:443", ssl: { verify: true }) do |about|
    about.options.params_encoder = Faraday::FlatParamsEncoder
    about.options.open_timeout = about.options.timeout = 30
    about.headers = { "Accept" => "application/json", "Accept-Charset" => "utf-8" }
    about.request :url_encoded
    if Faraday::VERSION.start_with?("2.")
      about.request :authorization, :basic, SID, TOKEN
    else
      about.request :basic_auth, SID, TOKEN
    end
    about.adapter Faraday.default_adapter
  end
  answer = there.send(method, "/2010-04-01/Accounts/#{SID}#{path}", form)
  [answer.status, answer.body.to_s.empty? ? {} : JSON.parse(answer.body)]
end

puts ask(:get, ".json")[1]["sid"]
_, application = ask(:post, "/Applications.json", "FriendlyName" => "Café & Co")
puts application["friendly_name"]
text = { "To" => "+14155550199", "From" => "+15550100100" }
media = { "MediaUrl" => ["http://127.0.0.1:1/a", "http://127.0.0.1:1/b"] }
puts ask(:post, "/Messages.json", text.merge(media))[1]["num_media"]
status, refused = ask(:post, "/Messages.json", text)
puts "#{status} #{refused["code"]}"
puts ask(:delete, "/Applications/#{application["sid"]}.json")[0] == 204 ? "gone" : "still there"
