set -eu
api="https://api.twilio.com/2010-04-01/Accounts/$TWILIO_ACCOUNT_SID"
ask() { curl -sS -u "$TWILIO_ACCOUNT_SID:$TWILIO_AUTH_TOKEN" "$@"; }
property() { echo "$(sed "s/.*\"$1\": \"\{0,1\}\([^\",]*\).*/\1/")"; }

ask "$api.json" | property sid
made=$(ask "$api/Applications.json" --data-urlencode "FriendlyName=Café & Co")
echo "$made" | property friendly_name
ask "$api/Messages.json" --data-urlencode "To=+14155550199" --data-urlencode "From=+15550100100" \
  -d "MediaUrl=http://127.0.0.1:1/a" -d "MediaUrl=http://127.0.0.1:1/b" | property num_media
refused=$(ask "$api/Messages.json" -w ' %{http_code}' --data-urlencode "To=+14155550199" \
  --data-urlencode "From=+15550100100")
echo "${refused##* } $(echo "$refused" | property code)"
status=$(ask -o /dev/null -w '%{http_code}' -X DELETE \
  "$api/Applications/$(echo "$made" | property sid).json")
[ "$status" = 204 ] && echo gone || echo "still there"
