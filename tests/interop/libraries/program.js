const client = require("twilio")();

async function main() {
  console.log((await client.api.v2010.accounts(client.username).fetch()).sid);
  const application = await client.applications.create({ friendlyName: "Café & Co" });
  console.log(application.friendlyName);
  const text = { to: "+14155550199", from: "+15550100100" };
  const mediaUrl = ["http://127.0.0.1:1/a", "http://127.0.0.1:1/b"];
  console.log((await client.messages.create({ ...text, mediaUrl })).numMedia);
  await client.messages
    .create(text)
    .catch((refused) => console.log(refused.status, refused.code));
  console.log((await application.remove()) ? "gone" : "still there");
}

main();
