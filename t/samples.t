# The files of conf/ are a configuration that nginx takes.

use strict;
use warnings;

use Cwd qw(abs_path);
use File::Copy qw(copy);
use Test::More tests => 4;

BEGIN { push @INC, 't/lib' }
use Chorus::Fixture;

my $prefix = "$Folder/prefix";
mkdir $_ or die "$_: $!\n" for $prefix, "$prefix/modules", "$prefix/logs";
copy($_, $prefix) or die "$_: $!\n" for glob "$Conf/*";
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
unlike($output, qr/\[(?:warn|error|emerg)\]/, 'without a warning');
