# The files of conf/ are a configuration that nginx takes.

use strict;
use warnings;

use Cwd qw(abs_path);
use File::Copy qw(copy);
use Test::More tests => 8;

BEGIN { push @INC, 't/lib' }
use Chorus::CA;
use Chorus::Fixture;

my $prefix = "$Folder/prefix";
chmod 0711, $Folder or die "$Folder: $!\n";    # www-data goes to the journal
mkdir $_ or die "$_: $!\n" for $prefix, "$prefix/modules", "$prefix/logs";
copy($_, $prefix) or die "$_: $!\n" for grep { -f } glob "$Conf/*";
write_file("$prefix/api.token", "0123456789abcdef\n", 0600);
symlink abs_path($ENV{TEST_NGINX_LOAD_MODULES} || $ENV{CHORUS_MODULE}),
    "$prefix/modules/ngx_http_chorus_module.so" or die "symlink: $!\n";

# Debian's paths for temporary files are not for everybody.
my $temp = join ' ', map { "${_}_temp_path $prefix/$_;" }
    qw(client_body proxy fastcgi scgi uwsgi);
my $config = read_file("$prefix/nginx.conf");
$config =~ s/^http \{\n/http { $temp\n/m;

# nor is what `make install` and Debian's nginx bring
my %place = (
    '/usr/lib/nginx/modules/' => "$prefix/modules/",
    '/etc/chorus/' => "$prefix/",
    '/var/lib/chorus/' => "$prefix/",
    '/var/log/nginx/' => "$prefix/logs/",
    '/run/nginx.pid' => "$prefix/nginx.pid",
);
while (my ($path, $here) = each %place) {
    $config =~ s/\Q$path\E/$here/g or die "conf/nginx.conf: no $path\n";
}
$config =~ s/^user .*\n//m if $> != 0;
write_file("$prefix/nginx.conf", $config);

my $nginx = $ENV{TEST_NGINX_BINARY} || 'nginx';

sub check {
    my $output = `$nginx -t -e $prefix/logs/error.log -p $prefix/ \\
        -c $prefix/nginx.conf 2>&1`;
    return ($?, $output);
}

chmod 0644, "$prefix/chorus.json";
my ($status, $output) = check();
isnt($status, 0, 'not as they are: everyone may read the secrets');
like($output, qr/chmod o-rwx .*chorus\.json/, 'and nginx says what to do');

chmod 0640, "$prefix/chorus.json";
($status, $output) = check();
is($status, 0, 'the samples are taken') or diag($output);
ok(-d "$prefix/journal", 'and have a journal');
unlike($output, qr/\[(?:warn|error|emerg)\]/, 'without a warning');

# the lines of TLS, which are comments until there is a certificate
my $ca = Chorus::CA->new;
my $pair = $ca->issue('s3', dns => ['s3.example.com']);
copy($pair->{cert}, "$prefix/s3.pem") or die "s3.pem: $!\n";
copy($pair->{key}, "$prefix/s3.key") or die "s3.key: $!\n";
copy($ca->{cert}, "$prefix/storages.pem") or die "storages.pem: $!\n";

my $port = free_port();
my $lines = $config =~ s/^( *)#((?:listen|ssl_|proxy_ssl_).*;)$/$1$2/gm;
$config =~ s/listen +443/listen 127.0.0.1:$port/;
write_file("$prefix/nginx.conf", $config);
write_file("$prefix/chorus.json", read_file("$prefix/chorus.json")
    =~ s{"http://127\.0\.0\.1:(\d+)"}{"https://store.test:$1"}gr, 0640);

is($lines, 6, 'the samples have lines for TLS');
($status, $output) = check();
is($status, 0, 'which are taken when they are none of the comments')
    or diag($output);
# nginx 1.25.1 and later prefer `http2 on;`, which others do not know
$output =~ s/^.*"listen \.\.\. http2" directive is deprecated.*\n//mg;
unlike($output, qr/\[(?:warn|error|emerg)\]/, 'without a warning');
