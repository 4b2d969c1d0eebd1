<?php // The library's HTTP stack as the library sets it up: the curl extension, headers in the answer.

function ask(string $method, string $path, string $form = ''): array
{
    [$sid, $token] = [getenv('TWILIO_ACCOUNT_SID'), getenv('TWILIO_AUTH_TOKEN')];
    $how = [
        CURLOPT_URL => "https://api.twilio.com/2010-04-01/Accounts/$sid$path",
        CURLOPT_HEADER => true,
        CURLOPT_RETURNTRANSFER => true,
        CURLOPT_INFILESIZE => null,
        CURLOPT_TIMEOUT => 60,
        CURLOPT_HTTPHEADER => [
            'Accept: application/json',
            'Accept-Charset: utf-8',
            'Authorization: Basic ' . base64_encode("$sid:$token"),
        ],
    ];
    $how += match ($method) {
        'GET' => [CURLOPT_HTTPGET => true],
        'POST' => [CURLOPT_POST => true, CURLOPT_POSTFIELDS => $form],
        default => [CURLOPT_CUSTOMREQUEST => $method],
    };
    $curl = curl_init();
    curl_setopt_array($curl, $how);
    $answer = curl_exec($curl) ?: exit(curl_error($curl));
    $parts = explode("\r\n\r\n", $answer, 3);
    // The proxy's answer is known by this line, and only when no header follows it.
    $tunnelled = preg_match('/\AHTTP\/1.\d 200 Connection established\Z/', $parts[0]);
    $body = json_decode($parts[$tunnelled ? 2 : 1] ?? '', true);
    return [curl_getinfo($curl, CURLINFO_HTTP_CODE), $body];
}

function form(array $values): string
{
    $pairs = [];
    foreach ($values as [$name, $value]) {
        $pairs[] = urlencode($name) . '=' . urlencode($value);
    }
    return implode('&', $pairs);
}

echo ask('GET', '.json')[1]['sid'], "\n";
$application = ask('POST', '/Applications.json', form([['FriendlyName', 'Café & Co']]))[1];
echo $application['friendly_name'], "\n";
$text = [['To', '+14155550199'], ['From', '+15550100100']];
$media = [['MediaUrl', 'http://127.0.0.1:1/a'], ['MediaUrl', 'http://127.0.0.1:1/b']];
echo ask('POST', '/Messages.json', form([...$text, ...$media]))[1]['num_media'], "\n";
[$status, $refused] = ask('POST', '/Messages.json', form($text));
echo $status, ' ', $refused['code'], "\n";
echo ask('DELETE', "/Applications/{$application['sid']}.json")[0] === 204 ? 'gone' : 'still there';
